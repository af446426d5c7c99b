//// ABOUT -b binary: any file as data, between symbols of its name
//// BUILD gcc -c -O1 m.c && printf 'twelve bytes' > some-file.txt
//// LINK ld -m elf_x86_64 -r -b binary -o data.o some-file.txt
//// LINK gcc -o m m.o data.o -Wl,-z,noexecstack
//// LINK gcc -o n m.o -Wl,--format=binary some-file.txt -Wl,--format=default -Wl,-z,noexecstack
//// COMPARE m
//// RUN ./m; ./n
//// PRINTS 12 twelve bytes
//// PRINTS 12 twelve bytes
//// SHOW nm data.o | cut -d' ' -f2-
//// LACKS mold: it has no -b
//// FILE m.c
#include <stdio.h>
extern const char _binary_some_file_txt_start[], _binary_some_file_txt_end[];
int main(void) {
    int size = _binary_some_file_txt_end - _binary_some_file_txt_start;
    printf("%d %.*s\n", size, size, _binary_some_file_txt_start);
    return 0;
}
