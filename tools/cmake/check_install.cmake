# Installs the build tree BUILD under itself and builds and runs the project CONSUMER, with the source EXAMPLE, against that.
cmake_minimum_required(VERSION 3.24)
set(scratch ${BUILD}/install_test)
file(REMOVE_RECURSE ${scratch})

function(must)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

must(${CMAKE_COMMAND} --install ${BUILD} --prefix ${scratch}/prefix)
must(${CMAKE_COMMAND} -S ${CONSUMER} -B ${scratch}/build -G Ninja -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_PREFIX_PATH=${scratch}/prefix
  -DEXAMPLE=${EXAMPLE})
must(${CMAKE_COMMAND} --build ${scratch}/build)
must(${scratch}/build/consumer)
