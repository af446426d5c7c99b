//// ABOUT --version, -v, -V, --help say what configure scripts look for
//// BUILD gcc -c -O1 m.c
//// SHOW ld -v | grep -c 'GNU ld'
//// PRINTS 1
//// SHOW ld --version | head -1 | grep -c 'GNU ld'
//// PRINTS 1
//// SHOW ld -V | grep -c elf_x86_64
//// PRINTS 1
//// SHOW ld --help | grep -c -e 'supported targets:.* elf' -e 'supported emulations:.* elf_x86_64' -e '-shared' -e '--as-needed' | awk '{print ($1 >= 4)}'
//// PRINTS 1
//// LACKS lld mold: they have names of their own
//// FILE m.c
int main(void) { return 0; }
