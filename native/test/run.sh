#!/bin/sh
# Compiles the kernels and their test and runs it; needs nothing but a C++ compiler.
#   run.sh                  every kernel against plain loops in double, for each instruction set this machine has
#   run.sh --bench [WORD]   times, GFLOP/s and share of the FMA peak measured in the same run
set -e
native=$(cd "$(dirname "$0")/.." && pwd)
out=${BUILD_DIR:-$native/../build/kernels-test}
mkdir -p "$out"
case $(uname -m) in
  x86_64) avx512="-mavx512f -mavx512vl -mavx512bw -mavx512dq -mfma" avx2="-mavx2 -mfma" ;;
esac
objects=""
newest_header=$(ls -t "$native"/src/*.h "$native"/test/*.h 2>/dev/null | head -1)
for source in "$native"/src/isa.cc "$native"/src/pool.cc "$native"/src/peak.cc "$native"/src/microkernel*.cc \
  "$native"/src/dot*.cc "$native"/src/conv*.cc "$native"/src/winograd*.cc "$native"/test/kernels_*.cc; do
  [ -e "$source" ] || continue
  object=$out/$(basename "$source" .cc).o
  objects="$objects $object"
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
exec "$out/kernels_test" "$@"
