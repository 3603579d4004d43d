// The vector loops for avx512; see vector_loops.inc.
#define LETHE_TABLE vectorTableAvx512
#define LETHE_NAME "avx512"
#include "vector_loops.inc"
