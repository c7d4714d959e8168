# Programs that show how to use the library, as doc/ tells; tests in
# test/integration run them.

example_tools = test/example/heap-server
test_example_heap_server_SOURCES = test/example/heap-server.c
test_example_heap_server_CFLAGS = -O2 -g -pthread -Wall -Wextra $(JE_WERROR)
test_example_heap_server_LDFLAGS = -export-dynamic
