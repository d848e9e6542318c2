"""Conan 2 recipe of the checkout that it lies in: conan create tools/packaging/conan"""

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir


class WeftConan(ConanFile):
    name = "weft"
    description = "Erlang's processes as a C++20 library"
    license = "MIT"
    topics = ("actors", "processes", "fibers", "concurrency")
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False]}
    default_options = {"shared": False, "fPIC": True}
    package_type = "library"

    @property
    def _checkout(self):
        return os.path.abspath(os.path.join(self.recipe_folder, "..", "..", ".."))

    def set_version(self):
        header = load(self, os.path.join(self._checkout, "mailbox", "include", "weft", "version.hpp"))
        self.version = ".".join(re.findall(r"#define WEFT_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header))

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "mailbox/*", "scheduler/*", "registry/*", "runtime/*", "tools/cmake/*"):
            copy(self, pattern, src=self._checkout, dst=self.export_sources_folder)

    def configure(self):
        if self.options.shared:
            self.options.rm_safe("fPIC")

    def requirements(self):
        self.requires("onetbb/[>=2021.8]")  # inside the library only: no public header includes it
        self.requires("concurrentqueue/[>=1.0.3]", visible=False)  # a header of the build

    def validate(self):
        check_min_cppstd(self, 20)
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("weft waits with futex and epoll: it runs on Linux")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        for part in ("TESTS", "TOOLS", "BENCH"):
            toolchain.cache_variables[f"WEFT_BUILD_{part}"] = False
        # It comes with GCC, not from Conan, and a package depends on nothing that Conan does not know. Stacks show exported names.
        toolchain.cache_variables["WEFT_LIBBACKTRACE"] = False
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))
        CMake(self).install()
        # Conan writes both from package_info().
        rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))
        rmdir(self, os.path.join(self.package_folder, "lib", "pkgconfig"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "weft")
        self.cpp_info.set_property("cmake_target_name", "weft::weft")
        self.cpp_info.set_property("pkg_config_name", "weft")
        # In the order of the link: each needs those behind it.
        self.cpp_info.libs = ["weft_runtime", "weft_registry", "weft_scheduler", "weft_mailbox"]
        self.cpp_info.system_libs = ["pthread", "dl"]
