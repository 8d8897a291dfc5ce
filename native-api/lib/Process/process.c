/* The part of the library that is not managed code, because it must work where managed code cannot:
 *
 *   SIGPIPE  the runtime would set it to ignored when it starts. That is the host's to decide, so this one request
 *            of the runtime's is dropped: the linker leads its calls of signal and sigaction here (--wrap).
 *   fork     a child after fork has only one of the runtime's threads, and a call into it may wait for ever for
 *            another. Whether this process is such a child is known without entering the runtime.
 *   TLS      each call of a managed export asks for the runtime's record of the calling thread, in a library by a
 *            call of the loader: 1.7 of 5.7 ns. One access to that record by the initial-exec model, and the linker
 *            writes them all that way (Source: elf_x86_64_tls_transition in binutils' bfd/elf64-x86-64.c). For that
 *            the library takes its 288 bytes of each thread from those that the loader has put by for libraries
 *            opened later, 1664 (glibc's rtld.optional_static_tls and others); a test holds it below 512.
 */
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

int __real_sigaction(int number, const struct sigaction *action, struct sigaction *old);
int __wrap_sigaction(int number, const struct sigaction *action, struct sigaction *old);
void (*__real_signal(int number, void (*handler)(int)))(int);
void (*__wrap_signal(int number, void (*handler)(int)))(int);
int32_t fb_is_forked_child(void);

int __wrap_sigaction(int number, const struct sigaction *action, struct sigaction *old) {
  if (number == SIGPIPE && action != NULL && action->sa_handler == SIG_IGN)
    action = NULL; /* a question instead of an order */
  return __real_sigaction(number, action, old);
}

void (*__wrap_signal(int number, void (*handler)(int)))(int) {
  struct sigaction now;
  if (number != SIGPIPE || handler != SIG_IGN)
    return __real_signal(number, handler);
  return __real_sigaction(number, NULL, &now) == 0 ? now.sa_handler : SIG_ERR;
}

static volatile int32_t is_child; /* written before the child runs anything else */

static void on_child(void) {
  is_child = 1;
}

__attribute__((constructor)) static void on_load(void) {
  (void)pthread_atfork(NULL, NULL, on_child);
}

int32_t fb_is_forked_child(void) {
  return is_child;
}

#if defined(__x86_64__)
extern __thread char tls_CurrentThread __attribute__((tls_model("initial-exec"), visibility("hidden")));
void *fb_thread_record(void);

/* Called by nobody: that it is there is enough. */
__attribute__((used, visibility("hidden"))) void *fb_thread_record(void) {
  return &tls_CurrentThread;
}
#endif
