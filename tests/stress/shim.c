/* Fault injection for a process, loaded with LD_PRELOAD: lets calls on the files of a database fail,
   and shifts the wall clock. The file that SHIM_FAULTS names has the fault and the percentage of
   the calls that fail, and is read at each call: "fsync 30", "write 10", "short 10", "full 100" or
   "none 0". The file that SHIM_CLOCK names has the seconds by which the wall clock is shifted. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static __thread unsigned long state = 88172645463325252UL;

/* Read the start of a file as a string; 0 if there is none. */
static int content(const char *file, char *found, size_t most) {
    int handle = syscall(SYS_openat, AT_FDCWD, file, O_RDONLY);
    if (handle < 0) return 0;
    ssize_t size = syscall(SYS_read, handle, found, most - 1);
    syscall(SYS_close, handle);
    found[size > 0 ? size : 0] = 0;
    return size > 0;
}

/* Seconds by which the wall clock is shifted. */
static long clock_shift(void) {
    char found[64];
    const char *file = getenv("SHIM_CLOCK");
    return file != NULL && content(file, found, sizeof found) ? atol(found) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += clock_shift();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int failed = syscall(SYS_gettimeofday, now, zone);
    if (!failed) now->tv_sec += clock_shift();
    return failed;
}

static int is_database(int fd) {
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    return strstr(path, "gtchat.sqlite") != NULL;
}

/* Decide whether this call fails with the given fault. */
static int fails(int fd, const char *way) {
    char found[64], name[16] = "";
    int percent = 0;
    const char *file = getenv("SHIM_FAULTS");
    if (file == NULL || !is_database(fd)) return 0;
    if (!content(file, found, sizeof found)) return 0;
    if (sscanf(found, "%15s %d", name, &percent) != 2) return 0;
    if (strcmp(name, way) != 0) return 0;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (int)(state % 100) < percent;
}

static int sync_or_fail(int fd, int number) {
    if (fails(fd, "fsync")) {
        errno = EIO;
        return -1;
    }
    return syscall(number, fd);
}

int fsync(int fd) { return sync_or_fail(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_or_fail(fd, SYS_fdatasync); }

static ssize_t put(int fd, const void *data, size_t size, off_t offset) {
    if (fails(fd, "write")) {
        errno = EIO;
        return -1;
    }
    if (fails(fd, "full")) {
        errno = ENOSPC;
        return -1;
    }
    if (size > 1 && fails(fd, "short")) size /= 2;
    return syscall(SYS_pwrite64, fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    return put(fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) {
    return put(fd, data, size, offset);
}
