// Files, read and written on the blocking pool: a slow disk holds up the process that waits for it and no other.
#pragma once

#include <weft/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

// What holds for every call below, close() and fd() excepted:
//
// Effect:  runs on a thread of the blocking pool while the calling process is suspended. Interrupted and partial system calls are repeated.
// Limits:  there is no deadline, because the kernel offers none. A process that is killed meanwhile is dead for all others at once, and is
//          unwound when the call returns (weft::blocking).
// Threads: from a process only. Several processes may use one File at a time; nobody may move, close or destroy it meanwhile.
// Errors:  NotInProcess; FileError, whose text names the call, the path and the system's error; as blocking().

namespace weft::inline v0 {

/// The system refused. code() is an errno: ENOENT, EACCES, ENOSPC, EIO ...
class FileError : public Error {
 public:
  FileError(const std::string& text, int code) : Error(text), code_(code) {}  ///< What went wrong, and the errno.
  [[nodiscard]] int code() const noexcept { return code_; }                   ///< ENOENT and the like.

 private:
  int code_;
};

/// How a file is opened.
enum class FileMode : std::uint8_t {
  read,        ///< must exist
  write,       ///< reading and writing; made if it is not there, and kept as it is if it is
  create_new,  ///< reading and writing; FileError EEXIST if it is there
  truncate,    ///< reading and writing; made or emptied
};

/// An open file. There is no position: each call says where. Sendable; closed by its destructor.
class File {
 public:
  /// New files get the permissions 0666 less the program's umask. BadArgument for a path that is empty or contains a zero byte.
  static File open(std::string_view path, FileMode mode = FileMode::read);

  /// @{
  /// The other is closed then.
  File(File&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept;
  /// @}
  ~File() { close(); }

  /// Reads from `offset` on until `buffer` is full or the file ends, and returns how many bytes.
  [[nodiscard]] std::size_t read_at(std::uint64_t offset, std::span<std::byte> buffer) const;
  /// Writes all of `bytes` at `offset`. After an error an unknown part was written.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  [[nodiscard]] std::uint64_t size_bytes() const;  ///< Of the file, now.
  /// Returns once what was written is on the device (fsync).
  void sync();

  /// At once, on the calling thread. Closing twice does nothing. What a network's file system reports only here is lost: sync() before.
  void close() noexcept;
  [[nodiscard]] int fd() const noexcept { return fd_; }  ///< -1 once closed; it stays ours.

 private:
  File(std::string path, int fd) noexcept : path_(std::move(path)), fd_(fd) {}

  std::string path_;
  int fd_;
};

/// The whole content of the file at `path`. FileError EFBIG when it has more than `max_bytes`: nothing is read then that does not fit.
[[nodiscard]] std::string read_file(std::string_view path, std::size_t max_bytes = std::size_t{1} << 30);

/// Replaces the file at `path`, or makes it, so that whoever opens it sees the old content or the new one, never a part: writes a file
/// beside it, syncs it and renames it over. The permissions stay; a symbolic link is replaced, not followed. After an error the old file
/// is as it was.
void write_file(std::string_view path, std::span<const std::byte> bytes);
/// As above, with a text.
inline void write_file(std::string_view path, std::string_view text) { write_file(path, std::as_bytes(std::span(text))); }

}  // namespace weft
