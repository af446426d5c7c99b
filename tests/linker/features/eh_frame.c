//// ABOUT .eh_frame: equal CIEs once, entries of dropped functions gone, table sorted
//// BUILD gcc -c -O1 -ffunction-sections a.c m.c
//// LINK gcc -o m m.o a.o -Wl,--gc-sections
//// LINK ld -o n m.o a.o -e main --unresolved-symbols=ignore-all
//// LINK ld -o o m.o a.o -e main --unresolved-symbols=ignore-all --eh-frame-hdr
//// RUN ./m
//// PRINTS 3
//// SHOW readelf --debug-dump=frames m | grep -c CIE
//// SHOW readelf -lW n o | grep -c GNU_EH_FRAME
//// PRINTS 1
//// DIFFERS mold output segments: it makes the table always
//// FILE a.c
int used(void) { return 3; }
int dropped(void) { return 4; }
//// FILE m.c
int printf(const char *, ...);
int used(void);
int main(void) { printf("%d\n", used()); return 0; }
