/* openat2(2) with limits for the walk, in a folder tree of its own; what is opened is shown by its
   content. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int folder;

static int open_(int at, const char *path, long flags, long mode, long resolve) {
    struct open_how how = {flags, mode, resolve};
    return syscall(SYS_openat2, at, path, &how, sizeof how);
}
static void make(const char *name, const char *text) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    write(fd, text, strlen(text));
    close(fd);
}
static void show(const char *path, long flags, const char *words, long resolve) {
    char text[100] = "";
    errno = 0;
    int fd = open_(folder, path, flags, flags & O_CREAT ? 0600 : 0, resolve);
    printf("%s %s %lx: ", path, words, resolve);
    if (fd < 0) {
        puts(strerrorname_np(errno));
        return;
    }
    if ((flags & O_ACCMODE) == O_WRONLY) printf("wrote %d ", (int)write(fd, "W", 1));
    int count = read(fd, text, 99);
    printf("%d %s, %s\n", fcntl(fd, F_GETFD), count < 0 ? strerrorname_np(errno) : "read", count > 0 ? text : "");
    close(fd);
}
static const char *paths[] = {
    "file", "sub/file", "sub/../file", "../out", "../tree/file", "link", "sub/up", "out", "absolute",
    "dangling", "loop", "sub/loop/file", "none", "none/file", "/tree/file", "/file", "", ".", "..",
    "sub", "sub/", "file/", "linked/file", "new/", "/proc/self/cwd", "/dev/null"};

int main(void) {
    mkdir("tree", 0755), mkdir("tree/sub", 0755);
    make("out", "outside"), make("tree/file", "in"), make("tree/sub/file", "below");
    symlink("file", "tree/link"), symlink("../file", "tree/sub/up"), symlink("../out", "tree/out");
    symlink("/no/such/file", "tree/absolute"), symlink("later", "tree/dangling");
    symlink("loop", "tree/loop"), symlink("../sub", "tree/sub/loop"), symlink("sub", "tree/linked");
    folder = open("tree", O_PATH | O_DIRECTORY);
    for (int i = 0; i < sizeof paths / sizeof *paths; i++)
        for (int resolve = 1; resolve < 32; resolve *= 2) {
            int is_absolute = *paths[i] == '/' || !strcmp(paths[i], "absolute");
            if (is_absolute && resolve < RESOLVE_BENEATH) continue; /* as the machine's mounts are */
            show(paths[i], O_RDONLY, "reading", resolve);
            show(paths[i], O_RDONLY | O_NOFOLLOW | O_CLOEXEC, "no link", resolve);
            show(paths[i], O_PATH | O_NOFOLLOW, "path", resolve);
            show(paths[i], O_WRONLY, "writing", resolve);
            show(paths[i], O_RDONLY | O_CREAT, "creating", resolve);
            unlink("tree/later");
            show(paths[i], O_RDWR | O_CREAT | O_EXCL, "new", resolve);
            show(paths[i], O_RDONLY | O_DIRECTORY, "folder", resolve);
            show(paths[i], O_RDWR | O_TMPFILE, "nameless", resolve);
        }
    show("file", O_RDONLY, "both", RESOLVE_BENEATH | RESOLVE_IN_ROOT);
    show("file", O_RDONLY | O_CREAT, "cached", RESOLVE_CACHED);
    show("file", O_RDONLY, "cached", RESOLVE_CACHED);
    folder = 99;
    show("file", O_RDONLY, "no folder", RESOLVE_BENEATH);
    /* A file that becomes a link to elsewhere, now and then. */
    folder = open("tree", O_PATH | O_DIRECTORY);
    fflush(stdout);
    int child = fork(), wrong = 0;
    if (!child)
        for (;;) {
            make("tree/.file", "in");
            rename("tree/.file", "tree/changing");
            symlink("../out", "tree/.link");
            rename("tree/.link", "tree/changing");
        }
    for (int i = 0; i < 1000; i++) {
        char text[10];
        int fd = open_(folder, "changing", O_RDONLY, 0, i & 1 ? RESOLVE_BENEATH : RESOLVE_NO_SYMLINKS);
        if (fd >= 0 && read(fd, text, 10) > 0 && *text == 'o') wrong++;
        close(fd);
    }
    kill(child, SIGKILL);
    wait(0);
    printf("wrong %d\n", wrong);
    return 0;
}
