//// BUILD gcc -shared -fpic -o libp.so p.c
//// BUILD gcc -no-pie -fno-pic -o early early.c ./libp.so
//// BUILD gcc -shared -fpic -DPROTECTED -o libp.so p.c
//// RUN ./early
//// FILE p.c
#ifdef PROTECTED
__attribute__((visibility("protected")))
#endif
int counter = 5;
#ifdef PROTECTED
__attribute__((visibility("protected")))
#endif
int function(void) { return 6; }
int *get_counter(void) { return &counter; }
void *get_function(void) { return (void *)function; }
//// FILE early.c
// A program that was linked when a variable was not yet protected copies it all the same.
#include <stdio.h>
extern int counter;
int function(void), *get_counter(void);
void *get_function(void);
int main(void) {
    counter++;
    printf("%d %d %d\n", counter, *get_counter(), &counter == get_counter());
    printf("%d %d\n", function(), (void *)function == get_function());
    return 0;
}
