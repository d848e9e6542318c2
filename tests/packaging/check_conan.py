"""Runs the Conan recipe with stand-ins for Conan's classes, then builds its test package against what it made:
check_conan.py <checkout> <scratch> <compiler>

The stand-ins do what Conan's classes are documented to do. Conan itself is not run: what that leaves unshown is in
tools/packaging/NOTES.md. The header of moodycamel's queue is put where Conan's package has it, and the system's is out of sight.
"""

import fnmatch
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import types

checkout, scratch, compiler = (os.path.abspath(argument) for argument in sys.argv[1:4])
packages = os.path.join(scratch, "dependencies")


def run(*command):
    subprocess.run(command, check=True)


class Bag(types.SimpleNamespace):
    """Settings or options: what is not there reads as None."""

    def rm_safe(self, name):
        self.__dict__.pop(name, None)


class Folders(types.SimpleNamespace):
    pass


class CppInfo:
    def __init__(self):
        self.properties = {}
        self.libs, self.system_libs = [], []
        self.bindir = "."

    def set_property(self, name, value):
        self.properties[name] = value


class ConanFile:
    def __init__(self):
        self.required = []
        self.cpp_info = CppInfo()
        self.cpp = Folders(build=CppInfo())
        self.settings = Bag(os="Linux", arch="x86_64", compiler="gcc", build_type="Release")
        self.options = Bag(**getattr(self, "default_options", {}))

    def requires(self, reference, **_traits):
        self.required.append(reference)

    def run(self, command, env=None):
        run(command)


class InvalidConfiguration(Exception):
    pass


class CMakeToolchain:
    def __init__(self, recipe):
        self.recipe, self.cache_variables = recipe, {}

    def generate(self):
        self.recipe.toolchain = self.cache_variables


class CMake:
    def __init__(self, recipe):
        self.recipe = recipe

    def configure(self):
        variables = {f"{name}": "ON" if value else "OFF" for name, value in getattr(self.recipe, "toolchain", {}).items()}
        variables |= {
            "CMAKE_BUILD_TYPE": self.recipe.settings.build_type,
            "CMAKE_CXX_FLAGS_RELEASE": "-O0",  # what the recipe makes counts here, not how fast it is
            "CMAKE_CXX_COMPILER": compiler,
            "CMAKE_PREFIX_PATH": ";".join([packages, *getattr(self.recipe, "found_in", [])]),
            "CMAKE_POSITION_INDEPENDENT_CODE": "ON" if getattr(self.recipe.options, "fPIC", False) else "OFF",
            "BUILD_SHARED_LIBS": "ON" if getattr(self.recipe.options, "shared", False) else "OFF",
            # The system's copy of what Conan would bring is out of sight: only `packages` has it, in Conan's folders.
            "CMAKE_IGNORE_PATH": "/usr/include",
        }
        if shutil.which("ccache"):
            variables["CMAKE_CXX_COMPILER_LAUNCHER"] = "ccache"
        arguments = [f"-D{name}={value}" for name, value in variables.items()]
        run("cmake", "-S", self.recipe.source_folder, "-B", self.recipe.build_folder, "-G", "Ninja", *arguments)

    def build(self):
        run("cmake", "--build", self.recipe.build_folder)

    def install(self):
        run("cmake", "--install", self.recipe.build_folder, "--prefix", self.recipe.package_folder)


def copy(_recipe, pattern, src, dst):
    """As conan.tools.files.copy: the pattern is matched against whole relative paths, and * crosses folders."""
    for path in pathlib.Path(src).rglob(pattern.split("/")[0] if "/" not in pattern else "*"):
        relative = path.relative_to(src)
        if path.is_file() and relative.parts[0] not in ("build", ".git") and fnmatch.fnmatch(relative.as_posix(), pattern):
            target = pathlib.Path(dst) / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def module(name, **contents):
    made = types.ModuleType(name)
    made.__dict__.update(contents)
    sys.modules[name] = made


module("conan", ConanFile=ConanFile)
module("conan.errors", ConanInvalidConfiguration=InvalidConfiguration)
module("conan.tools")
module("conan.tools.build", check_min_cppstd=lambda _recipe, _standard: None, can_run=lambda _recipe: True)
module("conan.tools.cmake", CMake=CMake, CMakeToolchain=CMakeToolchain, CMakeDeps=lambda _recipe: Bag(generate=lambda: None),
       cmake_layout=lambda _recipe: None)
module("conan.tools.files", copy=copy, load=lambda _recipe, path: pathlib.Path(path).read_text(),
       rmdir=lambda _recipe, path: shutil.rmtree(path, ignore_errors=True))


def recipe_in(folder, name):
    spec = importlib.util.spec_from_file_location(name, os.path.join(folder, "conanfile.py"))
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    made = next(c for c in vars(loaded).values() if isinstance(c, type) and issubclass(c, ConanFile) and c is not ConanFile)()
    made.recipe_folder = folder
    return made


shutil.rmtree(scratch, ignore_errors=True)
# The queue's header, in the folder of Conan's package.
queue = next(p for p in ("/usr/include/concurrentqueue/concurrentqueue.h", "/usr/include/concurrentqueue.h") if os.path.exists(p))
os.makedirs(os.path.join(packages, "include", "moodycamel"))
shutil.copy2(queue, os.path.join(packages, "include", "moodycamel"))

recipe = recipe_in(os.path.join(checkout, "tools", "packaging", "conan"), "weft_recipe")
recipe.set_version()
recipe.export_sources_folder = recipe.source_folder = os.path.join(scratch, "source")
recipe.build_folder = os.path.join(scratch, "build")
recipe.package_folder = os.path.join(scratch, "package")
recipe.export_sources()
recipe.configure()
recipe.requirements()
recipe.validate()
recipe.layout()
recipe.generate()
recipe.build()
recipe.package()
recipe.package_info()

assert any(reference.startswith("onetbb/") for reference in recipe.required), recipe.required
assert any(reference.startswith("concurrentqueue/") for reference in recipe.required), recipe.required
assert recipe.cpp_info.properties["cmake_target_name"] == "weft::weft"
for library in recipe.cpp_info.libs:
    assert os.path.exists(os.path.join(recipe.package_folder, "lib", f"lib{library}.a")), library
assert os.path.exists(os.path.join(recipe.package_folder, "licenses", "LICENSE"))
assert not os.path.exists(os.path.join(recipe.package_folder, "lib", "cmake")), "Conan writes its own"

windows = recipe_in(recipe.recipe_folder, "weft_recipe_elsewhere")
windows.settings.os = "Windows"
try:
    windows.validate()
    raise AssertionError("the recipe accepts Windows")
except InvalidConfiguration as refused:
    print("refused, as it should be:", refused)

# What Conan writes from package_info(), for the test package.
config = os.path.join(scratch, "generated")
os.makedirs(config)
links = ";".join([*recipe.cpp_info.libs, "TBB::tbb", *recipe.cpp_info.system_libs])
pathlib.Path(config, "weft-config.cmake").write_text(f"""find_package(TBB REQUIRED)
add_library(weft::weft INTERFACE IMPORTED)
target_include_directories(weft::weft INTERFACE "{recipe.package_folder}/include")
target_link_directories(weft::weft INTERFACE "{recipe.package_folder}/lib")
target_link_libraries(weft::weft INTERFACE "{links}")
""")
test = recipe_in(os.path.join(recipe.recipe_folder, "test_package"), "weft_test_package")
test.tested_reference_str = f"weft/{recipe.version}"
test.source_folder, test.build_folder = test.recipe_folder, os.path.join(scratch, "test_package")
test.found_in = [config]
test.cpp.build.bindir = test.build_folder
test.requirements()
test.layout()
test.build()
test.test()
assert test.required == [f"weft/{recipe.version}"]
