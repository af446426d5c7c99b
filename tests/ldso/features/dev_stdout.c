//// BUILD gcc -o main main.c
//// RUN ./main
//// FILE main.c
// /dev/stdout and /proc/self/fd/1 can be opened where they are pipes.
#include <stdio.h>
int main(void) {
    for (int i = 0; i < 2; i++) {
        FILE *out = fopen(i ? "/proc/self/fd/1" : "/dev/stdout", "w");
        if (!out) { perror("open"); return 1; }
        fprintf(out, "line %d\n", i);
        fclose(out);
    }
    return 0;
}
