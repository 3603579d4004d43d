// The vector loops for neon; see loops.inc.
#define LETHE_TABLE vectorTableNeon
#define LETHE_NAME "neon"
#include "loops/loops.inc"
