//// ABOUT .text.hot and its kin in one .text, .data.rel.ro in RELRO, sections of own names
//// BUILD gcc -c -O2 -fPIE -freorder-functions m.c x.c
//// LINK gcc -o m m.o x.o
//// RUN ./m
//// PRINTS 5 6 7 8
//// SHOW readelf -SW m | grep -o -E ' (\.text[.a-z]*|\.data[.a-z]*|\.rodata[.a-z0-9]*|\.bss[.a-z]*|mine|\.mine|mine_bss) ' | sort
//// DIFFERS mold output: it keeps .rodata's merged parts apart
//// FILE x.c
__attribute__((cold)) int cold(void) { return 5; }
__attribute__((hot)) int hot(void) { return 6; }
//// FILE m.c
#include <stdio.h>
int cold(void), hot(void);
__attribute__((section("mine"))) int own = 7;
__attribute__((section(".mine"))) int dotted = 8;
const char *const names[2] = {"a", "b"};
int main(void) { printf("%d %d %d %d\n", cold(), hot(), own, dotted); return names[0][0] - 'a'; }
