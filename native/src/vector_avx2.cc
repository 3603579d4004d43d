// The vector loops for avx2; see vector_loops.inc.
#define LETHE_TABLE vectorTableAvx2
#define LETHE_NAME "avx2"
#include "vector_loops.inc"
