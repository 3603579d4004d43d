// The vector loops for neon; see vector_loops.inc.
#define LETHE_TABLE vectorTableNeon
#define LETHE_NAME "neon"
#include "vector_loops.inc"
