// A program without weft that opens a library with it: weft's thread-locals find room after the start too.
#include <dlfcn.h>

#include <cstdio>

int main(int, char** arguments) {
  void* library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  auto* plugin_main = reinterpret_cast<int (*)()>(dlsym(library, "plugin_main"));
  if (plugin_main == nullptr) return 1;
  for (int i = 0; i < 3; ++i) {
    if (const int failed = plugin_main(); failed != 0) return failed;
  }
  // The code of weft stays although the library goes: its terminate handler is installed.
  return dlclose(library);
}
