//// BUILD gcc -shared -fpic -Wl,-z,execstack -o libexec.so lib.c
//// BUILD gcc -Wl,-z,noexecstack -o needs needs.c ./libexec.so
//// BUILD gcc -Wl,-z,noexecstack -o dl dl.c
//// BUILD gcc -Wl,-z,noexecstack -o without dl.c
//// RUN ./needs
//// RUN ./dl ./libexec.so
//// RUN ./without
//// FILE lib.c
#include <string.h>
int on_stack(void) {
    unsigned char code[16] = {0xb8, 42, 0, 0, 0, 0xc3}; // mov $42,%eax; ret
    return ((int (*)(void))code)();
}
//// FILE needs.c
// A library whose code runs on the stack makes the stack executable, at start or by dlopen.
#include <stdio.h>
int on_stack(void);
int main(void) { printf("%d\n", on_stack()); return 0; }
//// FILE dl.c
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
static void show(void) {
    char line[300];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "[stack]")) printf("%.4s\n", strchr(line, ' ') + 1);
    fclose(maps);
}
int main(int argc, char **argv) {
    show();
    if (argc < 2) return 0;
    void *handle = dlopen(argv[1], RTLD_NOW);
    if (!handle) { puts(dlerror()); return 1; }
    show();
    printf("%d\n", ((int (*)(void))dlsym(handle, "on_stack"))());
    dlclose(handle);
    show();
    return 0;
}
