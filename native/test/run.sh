#!/bin/sh
# Compiles the kernels, the thread pool and their tests and runs them; needs nothing but a C++ compiler.
#   run.sh                  the thread pool and the queue, then every kernel against plain loops in double, for each
#                           instruction set this machine has
#   run.sh --bench [WORD]   times, GFLOP/s and share of the FMA peak measured in the same run
# For another processor CXX names a cross compiler, and EMULATOR what runs its programs here.
set -e
native=$(cd "$(dirname "$0")/.." && pwd)
out=${BUILD_DIR:-$native/../build/kernels-test}
mkdir -p "$out"
case $(${CXX:-g++} -dumpmachine) in
  x86_64*) avx512="-mavx512f -mavx512vl -mavx512bw -mavx512dq -mfma" avx2="-mavx2 -mfma" ;;
esac
objects=""
pool=""
newest_header=$(ls -t "$native"/src/*.h "$native"/test/*.h 2>/dev/null | head -1)
for source in "$native"/src/isa.cc "$native"/src/pool.cc "$native"/src/queue.cc "$native"/src/peak.cc \
  "$native"/src/microkernel*.cc "$native"/src/dot*.cc "$native"/src/conv*.cc "$native"/src/winograd*.cc "$native"/test/*.cc; do
  [ -e "$source" ] || continue
  object=$out/$(basename "$source" .cc).o
  case $source in
    */pool.cc) objects="$objects $object" pool="$pool $object" ;;
    */queue.cc | */pool_test.cc) pool="$pool $object" ;;
    *) objects="$objects $object" ;;
  esac
  if [ "$object" -nt "$source" ] && [ "$object" -nt "$newest_header" ]; then continue; fi
  case $source in
    *_avx512.cc) flags=$avx512 ;;
    *_avx2.cc) flags=$avx2 ;;
    *) flags="" ;;
  esac
  echo "compiling $(basename "$source")" >&2
  ${CXX:-g++} -std=c++17 -O3 -Wall -Wextra $flags -c "$source" -o "$object"
done
${CXX:-g++} $objects -pthread -o "$out/kernels_test"
${CXX:-g++} $pool -pthread -o "$out/pool_test"
[ "$1" = --bench ] || $EMULATOR "$out/pool_test"
exec $EMULATOR "$out/kernels_test" "$@"
