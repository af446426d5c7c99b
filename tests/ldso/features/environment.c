//// BUILD gcc -o main main.c
//// RUN FOO=bar ./main one two
//// FILE main.c
// argv, environ, the auxiliary vector, exit handlers and buffered output are as natively.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
extern char **environ;
static void last(void) { printf("last words\n"); }
int main(int argc, char **argv) {
    atexit(last);
    printf("%d %s %s %s\n", argc, argv[0], argv[1], argv[argc - 1]);
    printf("%s %d\n", getenv("FOO"), getenv("NOT_THERE") == NULL);
    setenv("NEW", "value", 1);
    printf("%s %d\n", getenv("NEW"), environ[0] != NULL);
    printf("page %ld, %ld ticks, secure %lu\n", sysconf(_SC_PAGESIZE), sysconf(_SC_CLK_TCK), getauxval(AT_SECURE));
    printf("execfn %s, entry %d\n", (char *)getauxval(AT_EXECFN), getauxval(AT_ENTRY) != 0);
    char *block = malloc(1 << 20);
    memset(block, 1, 1 << 20);
    block = realloc(block, 1 << 22);
    printf("%d\n", block[1000]);
    free(block);
    fprintf(stderr, "to stderr\n");
    exit(42);
}
