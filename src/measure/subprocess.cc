#include "measure/subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/affinity.h"

extern char** environ;

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kMaxOutputBytes = size_t{64} << 20;
constexpr size_t kMaxErrorBytes = size_t{64} << 10;

// One end of a pipe that reads, one that writes; closed when it goes.
class Pipe {
 public:
  Pipe() { ok_ = pipe2(ends_, O_CLOEXEC) == 0; }
  ~Pipe() {
    Close(0);
    Close(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  bool ok() const { return ok_; }
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void Close(int end) {
    if (ends_[end] >= 0) close(ends_[end]);
    ends_[end] = -1;
  }

 private:
  int ends_[2] = {-1, -1};
  bool ok_ = false;
};

Status CannotStart(const std::string& program, int error) {
  return Status::RunTime(fmt::format("{}: cannot be started: {}", program, std::strerror(error)));
}

Result<pid_t> Start(const std::vector<std::string>& arguments, Pipe& out, Pipe& err) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.writer(), 1);
  posix_spawn_file_actions_adddup2(&actions, err.writer(), 2);
  pid_t pid = 0;
  const UnpinnedScope unpinned;  // an arm that is loaded has this thread on one CPU
  const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return CannotStart(arguments[0], error);
  return pid;
}

// Takes the whole lines of `pending` out of it.
void GiveLines(std::string& pending, const std::function<void(std::string_view)>& on_line) {
  size_t begin = 0;
  for (size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1) {
    if (on_line) on_line(std::string_view(pending).substr(begin, end - begin));
  }
  pending.erase(0, begin);
}

// Reads both pipes until they are closed at the other end. False: to be killed.
Result<bool> ReadAll(const SubprocessOptions& options, int out, int err, SubprocessResult& result) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(options.timeout_seconds);
  pollfd polled[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  std::string pending;
  char buffer[1 << 14];
  while (polled[0].fd >= 0 || polled[1].fd >= 0) {
    if (options.stop && options.stop()) return Status::Interrupted();
    if (Clock::now() > deadline) {
      result.timed_out = true;
      return false;
    }
    if (poll(polled, 2, 100) <= 0) continue;
    for (int i = 0; i < 2; ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      const ssize_t count = read(polled[i].fd, buffer, sizeof(buffer));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        polled[i].fd = -1;
        continue;
      }
      const std::string_view piece(buffer, static_cast<size_t>(count));
      if (i == 0) {
        result.out += piece;
        if (result.out.size() > kMaxOutputBytes) {
          return Status::RunTime(fmt::format("{} writes without end", options.arguments[0]));
        }
        continue;
      }
      pending += piece;
      GiveLines(pending, options.on_error_line);
      result.err += piece;
      if (result.err.size() > kMaxErrorBytes) {
        result.err.erase(0, result.err.size() - kMaxErrorBytes);
      }
    }
  }
  return true;
}

}  // namespace

Result<SubprocessResult> RunSubprocess(const SubprocessOptions& options) {
  Pipe out, err;
  if (!out.ok() || !err.ok()) return CannotStart(options.arguments[0], errno);
  FATHOM_ASSIGN(const pid_t pid, Start(options.arguments, out, err));
  out.Close(1);
  err.Close(1);
  SubprocessResult result;
  const auto read = ReadAll(options, out.reader(), err.reader(), result);
  if (!read.ok() || !*read) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  FATHOM_TRY(read.status());
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace fathom
