//// BUILD gcc -shared -fpic -DPLACE="top" -o libp.so p.c
//// BUILD gcc -shared -fpic -DPLACE="rpath" -o r/libp.so p.c
//// BUILD gcc -shared -fpic -DPLACE="hwcaps-v2" -o h/glibc-hwcaps/x86-64-v2/libp.so p.c
//// BUILD gcc -shared -fpic -DPLACE="hwcaps-v9" -o h/glibc-hwcaps/x86-64-v9/libp.so p.c
//// BUILD gcc -shared -fpic -DPLACE="plain" -o h/libp.so p.c
//// BUILD gcc -shared -fpic -DPLACE="lib" -o t/lib/x86_64-linux-gnu/libp.so p.c
//// BUILD gcc -shared -fpic -DPLACE="platform" -o t/x86_64/libp.so p.c
//// BUILD gcc -shared -fpic -o m/libmid.so mid.c -L. -lp
//// BUILD gcc -shared -fpic -o m/libmidrun.so mid.c -L. -lp -Wl,-rpath,/nonexistent -Wl,--enable-new-dtags
//// BUILD gcc -o inherits main.c -Lm -lmid -Wl,-rpath,$ORIGIN/m:$ORIGIN/r -Wl,--disable-new-dtags -Wl,--unresolved-symbols=ignore-all
//// BUILD gcc -o runpath main.c -Lm -lmid -Wl,-rpath,$ORIGIN/m:$ORIGIN/r -Wl,--enable-new-dtags -Wl,--unresolved-symbols=ignore-all
//// BUILD gcc -o midrun main.c -Lm -lmidrun -Wl,-rpath,$ORIGIN/m:$ORIGIN/r -Wl,--disable-new-dtags -Wl,--unresolved-symbols=ignore-all
//// BUILD gcc -o lib main.c -Lm -lmid -Wl,-rpath,${ORIGIN}/m:$ORIGIN/t/$LIB -Wl,--disable-new-dtags -Wl,--unresolved-symbols=ignore-all
//// BUILD gcc -o platform main.c -Lm -lmid -Wl,-rpath,$ORIGIN/m:$ORIGIN/t/${PLATFORM} -Wl,--disable-new-dtags -Wl,--unresolved-symbols=ignore-all
//// BUILD gcc -o unknown main.c -Lm -lmid -Wl,-rpath,$ORIGIN/m:$ORIGINAL/x:$ORIGIN/$NOTHING -Wl,--disable-new-dtags -Wl,--unresolved-symbols=ignore-all
//// BUILD gcc -o dl dl.c -Wl,-rpath,$ORIGIN/r -Wl,--disable-new-dtags
//// BUILD gcc -o dlrun dl.c -Wl,-rpath,$ORIGIN/r -Wl,--enable-new-dtags
//// RUN ./inherits
//// RUN ./runpath
//// RUN LD_LIBRARY_PATH=h ./runpath
//// RUN LD_LIBRARY_PATH=h ./inherits
//// RUN ./midrun
//// RUN LD_LIBRARY_PATH=h ./midrun
//// RUN ./lib
//// RUN ./platform
//// RUN LD_LIBRARY_PATH=r ./unknown
//// RUN LD_LIBRARY_PATH=/nowhere:./t/$LIB ./runpath
//// RUN LD_LIBRARY_PATH=: ./runpath
//// RUN ./dl libp.so
//// RUN ./dlrun libp.so
//// RUN ./dl ./m/libmid.so
//// RUN ./dlrun ./m/libmid.so
//// RUN LD_LIBRARY_PATH=h/ ./dl libp.so
//// RUN ./dl $ORIGIN/libp.so
//// RUN ./dl ${ORIGIN}/t/${PLATFORM}/libp.so
//// RUN ./dl libp.so ./r/libp.so ./r/../r/libp.so r/libp.so
//// RUN ./dl libc.so.6 libm.so.6 libnowhere.so.1
//// FILE r/keep
//// FILE m/keep
//// FILE h/glibc-hwcaps/x86-64-v2/keep
//// FILE h/glibc-hwcaps/x86-64-v9/keep
//// FILE t/lib/x86_64-linux-gnu/keep
//// FILE t/x86_64/keep
//// FILE p.c
#define TEXT(x) #x
#define STRING(x) TEXT(x)
const char *place(void) { return STRING(PLACE); }
//// FILE mid.c
const char *place(void);
const char *mid(void) { return place(); }
//// FILE main.c
// DT_RPATH counts for what libraries need too, DT_RUNPATH for the file's own needs alone.
#include <stdio.h>
const char *mid(void);
int main(void) { puts(mid()); return 0; }
//// FILE dl.c
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv) {
    void *first = NULL;
    for (int i = 1; i < argc; i++) {
        void *handle = dlopen(argv[i], RTLD_NOW);
        if (!handle) { puts(dlerror()); continue; }
        const char *(*place)(void) = (const char *(*)(void))dlsym(handle, "place");
        printf("%s %d\n", place ? place() : "-", handle == first);
        first = first ? first : handle;
    }
    return 0;
}
