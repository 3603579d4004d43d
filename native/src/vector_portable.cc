// The vector loops for portable; see vector_loops.inc.
#define LETHE_TABLE vectorTablePortable
#define LETHE_NAME "portable"
#include "vector_loops.inc"
