/* A disk that fails when it is told to. Loaded before libc (LD_PRELOAD), it lets some calls go through that write, or
   that make durable; then the next one, or all from then on, fail with a given error. Only files below the folder FAILING
   are concerned. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum call { WRITE = 1, SYNC = 2 };

static int calls_left = -1, calls_concerned, error_given, from_then_on, failed;

void disk_fails(int after, int calls, int error, int lasting) {
  calls_left = after;
  calls_concerned = calls;
  error_given = error;
  from_then_on = lasting;
  failed = 0;
}

int disk_works(void) {
  calls_left = -1;
  return failed;
}

static int fails(enum call call, int fd) {
  char link[64], path[4096];
  const char *folder = getenv("FAILING");
  if (calls_left < 0 || !(calls_concerned & call) || folder == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  if (strncmp(path, folder, strlen(folder)) != 0) return 0;
  if (calls_left > 0) {
    calls_left--;
    return 0;
  }
  if (!from_then_on) calls_left = -1;
  failed++;
  errno = error_given;
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size) {
  return fails(WRITE, fd) ? -1 : REAL(write)(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  return fails(WRITE, fd) ? -1 : REAL(pwrite64)(fd, data, size, at);
}

int ftruncate64(int fd, off64_t size) { return fails(WRITE, fd) ? -1 : REAL(ftruncate64)(fd, size); }

int fsync(int fd) { return fails(SYNC, fd) ? -1 : REAL(fsync)(fd); }

int fdatasync(int fd) { return fails(SYNC, fd) ? -1 : REAL(fdatasync)(fd); }
