/* A thread that opens a FIFO waits for the other end, which another thread opens. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void *receive(void *name) {
    char text[16] = "";
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    read(fd, text, 15);
    printf("%s, flags %x, close on exec %d\n", text, fcntl(fd, F_GETFL) & O_NONBLOCK, fcntl(fd, F_GETFD));
    close(fd);
    return 0;
}
static void *send_text(void *name) {
    int fd = open(name, O_WRONLY);
    write(fd, "hello", 5);
    printf("flags %x, close on exec %d\n", fcntl(fd, F_GETFL) & O_NONBLOCK, fcntl(fd, F_GETFD));
    close(fd);
    return 0;
}
int main(void) {
    pthread_t thread;
    setvbuf(stdout, 0, _IONBF, 0);
    mkfifo("fifo", 0600);
    for (int i = 0; i < 2; i++) {
        pthread_create(&thread, 0, i ? send_text : receive, "fifo");
        usleep(20000);
        if (i) {
            char text[16] = "";
            int fd = open("fifo", O_RDONLY);
            pthread_join(thread, 0);
            read(fd, text, 15);
            puts(text);
        } else {
            int fd = open("fifo", O_WRONLY);
            write(fd, "first", 5);
            pthread_join(thread, 0);
        }
    }
    return unlink("fifo");
}
