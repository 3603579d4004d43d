// The vector loops for avx512; see loops.inc.
#define LETHE_TABLE vectorTableAvx512
#define LETHE_NAME "avx512"
#include "loops/loops.inc"
