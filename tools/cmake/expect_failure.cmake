# Runs COMMAND, which must end with EXIT_CODE and print what PATTERN matches.
execute_process(COMMAND ${COMMAND} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT status STREQUAL EXIT_CODE)
  message(FATAL_ERROR "ended with ${status}, not ${EXIT_CODE}:\n${output}")
endif()
if(NOT output MATCHES "${PATTERN}")
  message(FATAL_ERROR "prints nothing like '${PATTERN}':\n${output}")
endif()
