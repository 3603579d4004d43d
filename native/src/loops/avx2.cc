// The vector loops for avx2; see loops.inc.
#define LETHE_TABLE vectorTableAvx2
#define LETHE_NAME "avx2"
#include "loops/loops.inc"
