/* Executes programs by their descriptors and prints what is refused; its first argument tells how,
   and "show" what the new program shows of itself. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif

static char *words[] = {"show", "show", "two", 0}, *variables[] = {"KEY=value", 0};

static int execveat_(int folder, const char *name, int flags) {
    return syscall(SYS_execveat, folder, name, words, variables, flags);
}

static void show(int count, char **argv) {
    char name[300] = "", comm[20] = "";
    int length = readlink("/proc/self/exe", name, sizeof name - 1);
    int fd = open("/proc/self/comm", O_RDONLY);
    read(fd, comm, sizeof comm - 1);
    close(fd);
    printf("%d %s %s %s\n", count, argv[2], getenv("KEY"), (char *)getauxval(AT_EXECFN));
    printf("exe %s comm %s", length > 0 ? strrchr(name, '/') : "?", comm);
    printf("can open %d\n", open("/proc/self/exe", O_RDONLY) >= 0);
    for (fd = 3; fd < 9; fd++) printf("%d", fcntl(fd, F_GETFD) >= 0);
    puts("");
    exit(7);
}

/* Runs what a child does to its end. */
#define CHILD(call) do { \
    fflush(stdout); \
    if (!fork()) { \
        errno = 0; \
        call; \
        printf("%s: %s\n", #call, strerrorname_np(errno)); \
        fflush(stdout); \
        _exit(1); \
    } \
    int status_; \
    wait(&status_); \
    printf("%s -> %x\n", #call, status_); \
} while (0)

static int copy_of(const char *path, int fd) {
    struct stat status;
    int from = open(path, O_RDONLY);
    fstat(from, &status);
    for (long left = status.st_size; left > 0;) left -= sendfile(fd, from, 0, left);
    close(from);
    fchmod(fd, 0755);
    return fd;
}

static void script(const char *name, const char *text, int mode) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0777);
    write(fd, text, strlen(text));
    fchmod(fd, mode);
    close(fd);
}

static void refused(int self) {
    char *many[2000], *large = malloc(100000);
    memset(large, 'x', 99999);
    large[99999] = 0;
    for (int i = 0; i < 1999; i++) many[i] = large;
    many[1999] = 0;
    script("plain", "echo no\n", 0644);
    script("empty", "#!\n", 0755);
    script("nothing", "", 0755);
    script("lost", "#!/no/such\n", 0755);
    symlink("plain", "link");
    symlink("shown", "there");
    CHILD(execve("nope", many, variables));
    CHILD(execve("plain", many, variables));
    CHILD(execve("nothing", many, variables));
    CHILD(execve("lost", many, variables));
    CHILD(execve("", words, variables));
    CHILD(execve("empty", words, variables));
    CHILD(execve("nothing", words, variables));
    CHILD(execve("lost", words, variables));
    CHILD(execveat_(self, "", 0));
    CHILD(execveat_(self, "", 1));
    CHILD(execveat_(self, "", AT_EMPTY_PATH | 0x200));
    CHILD(execveat_(self, "name", AT_EMPTY_PATH));
    CHILD(execveat_(AT_FDCWD, "", AT_EMPTY_PATH));
    CHILD(execveat_(AT_FDCWD, ".", 0));
    CHILD(execveat_(999, "", AT_EMPTY_PATH));
    CHILD(execveat_(999, "plain", 0));
    CHILD(execveat_(999, "/no/such", 0));
    CHILD(execveat_(AT_FDCWD, "link", 0));
    CHILD(execveat_(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW));
    CHILD(execveat_(AT_FDCWD, "there", AT_SYMLINK_NOFOLLOW));
    CHILD(execveat_(open("link", O_PATH | O_NOFOLLOW), "", AT_EMPTY_PATH));
    CHILD(execveat_(AT_FDCWD, (char *)8, 0));
    CHILD(syscall(SYS_execveat, self, "", 8, variables, AT_EMPTY_PATH));
    CHILD(syscall(SYS_execveat, self, "", words, 8, AT_EMPTY_PATH));
}

static void scripts(void) {
    char text[300], folder[200];
    script("script", "#!/bin/sh -u\necho $0 $1; read x < /proc/self/comm; echo $x; ls -d $0\n", 0755);
    CHILD(fexecve(open("script", O_RDONLY), words, variables));
    CHILD(fexecve(open("script", O_RDONLY | O_CLOEXEC), words, variables));
    CHILD(execveat_(open(".", O_PATH), "script", 0));
    CHILD(execveat_(open(".", O_PATH | O_CLOEXEC), "script", 0));
    CHILD(execveat_(AT_FDCWD, "./script", 0));
    getcwd(folder, sizeof folder);
    for (int i = 1; i < 7; i++) {
        char name[9] = {'n', '0' + i};
        sprintf(text, i > 1 ? "#!%s/n%d -%d\n" : "#!/bin/echo\n", folder, i - 1, i);
        script(name, text, 0755);
        CHILD(execve(name, (char *[]){name, "end", 0}, variables));
    }
}

int main(int count, char **argv) {
    if (!strcmp(argv[1], "show")) show(count, argv);
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    close(copy_of("/proc/self/exe", open("shown", O_RDWR | O_CREAT, 0755)));
    if (!strcmp(argv[1], "refused")) refused(self);
    if (!strcmp(argv[1], "scripts")) scripts();
    if (!strcmp(argv[1], "runs")) {
        symlink("shown", "other");
        CHILD(fexecve(self, words, variables));
        CHILD(fexecve(open("/proc/self/exe", O_PATH), words, variables));
        CHILD(execveat_(open(".", O_PATH), "shown", 0));
        CHILD(execveat_(open(".", O_PATH | O_CLOEXEC), "other", 0));
        CHILD(execveat_(AT_FDCWD, "./other", 0));
        CHILD(execve("/proc/self/exe", words, variables));
        CHILD(execveat_(self, "/proc/self/exe", 0));
        CHILD((unlink("other"), fexecve(open("shown", O_RDONLY), words, variables)));
        CHILD(fexecve(copy_of("/proc/self/exe", memfd_create("m", 1)), words, variables));
        CHILD(fexecve(copy_of("/proc/self/exe", memfd_create("m", 0)), words, variables));
        int fd = copy_of("/proc/self/exe", open("gone", O_RDWR | O_CREAT, 0755));
        close(fd);
        fd = open("gone", O_RDONLY | O_CLOEXEC);
        unlink("gone");
        CHILD(fexecve(fd, words, variables));
    }
    return 0;
}
