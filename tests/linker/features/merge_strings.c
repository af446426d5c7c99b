//// ABOUT equal strings of all inputs once, of one and of four bytes a character
//// BUILD gcc -c -O2 -fPIE a.c m.c
//// LINK gcc -o m m.o a.o
//// RUN ./m
//// PRINTS 1 1 1
//// SHOW strings -a m | grep -c -e 'the same text'
//// PRINTS 1
//// SHOW strings -a -eL m | grep -c 'wide text'
//// PRINTS 1
//// FILE a.c
#include <wchar.h>
const char *text(void) { return "the same text"; }
const wchar_t *wide(void) { return L"wide text"; }
const char *other(void) { return "other text"; }
//// FILE m.c
#include <stdio.h>
#include <string.h>
#include <wchar.h>
const char *text(void), *other(void);
const wchar_t *wide(void);
int main(void) {
    const char *mine = "the same text";
    const wchar_t *mywide = L"wide text";
    printf("%d %d %d\n", mine == text(), mywide == wide(), strcmp(other(), "other text") == 0);
    return 0;
}
