//// BUILD gcc -shared -fpic -o libaud.so aud.c
//// BUILD gcc -shared -fpic -o libbend.so bend.c
//// BUILD gcc -shared -fpic -o libnone.so lib.c
//// BUILD gcc -shared -fpic -DDISLIKES -o libdislikes.so aud.c
//// BUILD gcc -shared -fpic -o libreal.so lib.c
//// BUILD gcc -shared -fpic -DOTHER -o libother.so lib.c
//// BUILD gcc -shared -fpic -o liblate.so late.c
//// BUILD gcc -Wl,-z,lazy -o main main.c ./libreal.so
//// BUILD gcc -Wl,-z,lazy -Wl,--audit,./libaud.so -o marked main.c ./libreal.so
//// RUN LD_AUDIT=./libaud.so ./main
//// RUN LD_AUDIT=./libaud.so LD_BIND_NOW=1 ./main
//// RUN LD_AUDIT=./libbend.so ./main
//// RUN LD_AUDIT=./libbend.so LD_BIND_NOW=1 ./main
//// RUN LD_AUDIT=./libaud.so:./libbend.so ./main
//// RUN LD_AUDIT=./nowhere.so:./libnone.so:./main.c ./main
//// RUN LD_AUDIT=./libdislikes.so ./main
//// RUN ./marked
//// FILE aud.c
#define _GNU_SOURCE
#include <link.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    fflush(stdout);
}
static const char *base(const char *path) { return strrchr(path, '/') ? strrchr(path, '/') + 1 : path; }
static const char *name(uintptr_t *cookie) { return base(((struct link_map *)*cookie)->l_name); }
unsigned la_version(unsigned version) {
    say("version %d\n", version >= 2);
#ifdef DISLIKES
    return 0;
#endif
    return LAV_CURRENT;
}
void la_activity(uintptr_t *cookie, unsigned what) { say("activity %u of [%s]\n", what, name(cookie)); }
char *la_objsearch(const char *what, uintptr_t *cookie, unsigned flag) {
    say("search %s for [%s] %u\n", base(what), name(cookie), flag);
    return (char *)what;
}
unsigned la_objopen(struct link_map *map, Lmid_t id, uintptr_t *cookie) {
    say("open [%s] %ld %d\n", base(map->l_name), (long)id, *cookie == (uintptr_t)map);
    return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}
void la_preinit(uintptr_t *cookie) { say("preinit [%s]\n", name(cookie)); }
uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *by, uintptr_t *to, unsigned *flags, const char *what) {
    if (what[0] == 'x') say("bind %s to %s, flags %u, index %d\n", what, name(to), *flags, index != 0);
    return symbol->st_value;
}
unsigned la_objclose(uintptr_t *cookie) { say("close [%s]\n", name(cookie)); return 0; }
Elf64_Addr la_x86_64_gnu_pltenter(Elf64_Sym *symbol, unsigned index, uintptr_t *by, uintptr_t *to, La_x86_64_regs *registers,
                                  unsigned *flags, const char *what, long *size) {
    if (what[0] != 'x' || strcmp(what, "x_real") == 0) return symbol->st_value;
    say("enter %s(%d)\n", what, (int)registers->lr_rdi & 0xfff);
    if (strcmp(what, "x_many") == 0) say("on the stack %ld\n", ((long *)registers->lr_rsp)[1]);
    *size = 32;
    return symbol->st_value;
}
unsigned la_x86_64_gnu_pltexit(Elf64_Sym *symbol, unsigned index, uintptr_t *by, uintptr_t *to, const La_x86_64_regs *registers,
                               La_x86_64_retval *result, const char *what) {
    if (what[0] == 'x' && strcmp(what, "x_real"))
        say("exit %s = %ld, was called with %ld\n", what, (long)result->lrv_rax, (long)registers->lr_rdi);
    return 0;
}
//// FILE bend.c
#define _GNU_SOURCE
#include <link.h>
#include <stdint.h>
#include <string.h>
static long instead(long x) { return -x; }
unsigned la_version(unsigned version) { return LAV_CURRENT; }
char *la_objsearch(const char *what, uintptr_t *cookie, unsigned flag) {
    if (strcmp(what, "./forbidden.so") == 0) return NULL;
    return strstr(what, "libreal.so") ? "./libother.so" : (char *)what;
}
unsigned la_objopen(struct link_map *map, Lmid_t id, uintptr_t *cookie) { return LA_FLG_BINDTO | LA_FLG_BINDFROM; }
uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *by, uintptr_t *to, unsigned *flags, const char *what) {
    return strcmp(what, "x_replaced") == 0 ? (uintptr_t)instead : symbol->st_value;
}
Elf64_Addr la_x86_64_gnu_pltenter(Elf64_Sym *symbol, unsigned index, uintptr_t *by, uintptr_t *to, La_x86_64_regs *registers,
                                  unsigned *flags, const char *what, long *size) {
    if (strcmp(what, "x_twice") == 0) registers->lr_rdi += 1000, *size = 0;
    if (strcmp(what, "x_real") == 0) { double one = 1.5; memcpy(&registers->lr_xmm[0], &one, 8); }
    return symbol->st_value;
}
unsigned la_x86_64_gnu_pltexit(Elf64_Sym *symbol, unsigned index, uintptr_t *by, uintptr_t *to, const La_x86_64_regs *registers,
                               La_x86_64_retval *result, const char *what) {
    if (strcmp(what, "x_twice") == 0) result->lrv_rax += 7;
    return 0;
}
//// FILE lib.c
#ifdef OTHER
#define FACTOR 10
#else
#define FACTOR 2
#endif
long x_twice(long x) { return FACTOR * x; }
long x_replaced(long x) { return x; }
long x_many(long a, long b, long c, long d, long e, long f, long g) { return a + 100 * g; }
double x_real(double x) { return FACTOR * x; }
//// FILE late.c
long x_late(long x) { return x + 1; }
//// FILE main.c
// Audit libraries see files come and go, symbols bound and functions called, and change them.
#include <dlfcn.h>
#include <stdio.h>
long x_twice(long), x_replaced(long), x_many(long, long, long, long, long, long, long);
double x_real(double);
int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("%ld\n", x_twice(21));
    printf("%ld\n", x_twice(4));
    printf("%ld %ld\n", x_replaced(5), x_many(1, 2, 3, 4, 5, 6, 7));
    printf("%g\n", x_real(0.25));
    void *late = dlopen("./liblate.so", RTLD_LAZY);
    printf("%ld\n", ((long (*)(long))dlsym(late, "x_late"))(1));
    dlclose(late);
    printf("%s\n", dlopen("./forbidden.so", RTLD_LAZY) ? "there" : dlerror());
    return 0;
}
