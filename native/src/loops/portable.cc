// The vector loops for portable; see loops.inc.
#define LETHE_TABLE vectorTablePortable
#define LETHE_NAME "portable"
#include "loops/loops.inc"
