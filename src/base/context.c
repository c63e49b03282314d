#include "base/fiber_priv.h"

#include <string.h>

/* The switch between two stacks: push what the calling convention says a callee must keep, change
 * the stack pointer, pop. Signal masks are not touched.
 *
 * x86-64 frame, from the saved stack pointer up: mxcsr and x87 control word (8 bytes), r15, r14,
 * r13, r12, rbx, rbp, return address. aarch64: d8-d15, x19-x28, x29, x30; 160 bytes. */

#if defined(__x86_64__)

__asm__(".text\n"
        ".globl context__switch\n"
        ".hidden context__switch\n"
        ".type context__switch,@function\n"
        ".p2align 4\n"
        "context__switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    subq $8, %rsp\n"
        "    stmxcsr (%rsp)\n"
        "    fnstcw 4(%rsp)\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    ldmxcsr (%rsp)\n"
        "    fldcw 4(%rsp)\n"
        "    addq $8, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size context__switch, .-context__switch\n");

void *context__make(char *stack_top, void (*entry)(void))
{
    uint64_t *sp = (uint64_t *)((uintptr_t)stack_top & ~(uintptr_t)15);
    *--sp = 0; /* the return address of `entry`: where back traces end */
    *--sp = (uint64_t)(uintptr_t)entry;
    for (int i = 0; i < 6; i++) *--sp = 0;
    uint32_t mxcsr;
    uint16_t control;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(control));
    *--sp = mxcsr | (uint64_t)control << 32;
    return sp;
}

#elif defined(__aarch64__)

__asm__(".text\n"
        ".globl context__switch\n"
        ".hidden context__switch\n"
        ".type context__switch,%function\n"
        ".p2align 4\n"
        "context__switch:\n"
        "    sub sp, sp, #160\n"
        "    stp d8, d9, [sp, #0]\n"
        "    stp d10, d11, [sp, #16]\n"
        "    stp d12, d13, [sp, #32]\n"
        "    stp d14, d15, [sp, #48]\n"
        "    stp x19, x20, [sp, #64]\n"
        "    stp x21, x22, [sp, #80]\n"
        "    stp x23, x24, [sp, #96]\n"
        "    stp x25, x26, [sp, #112]\n"
        "    stp x27, x28, [sp, #128]\n"
        "    stp x29, x30, [sp, #144]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldp d8, d9, [sp, #0]\n"
        "    ldp d10, d11, [sp, #16]\n"
        "    ldp d12, d13, [sp, #32]\n"
        "    ldp d14, d15, [sp, #48]\n"
        "    ldp x19, x20, [sp, #64]\n"
        "    ldp x21, x22, [sp, #80]\n"
        "    ldp x23, x24, [sp, #96]\n"
        "    ldp x25, x26, [sp, #112]\n"
        "    ldp x27, x28, [sp, #128]\n"
        "    ldp x29, x30, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    ret\n"
        ".size context__switch, .-context__switch\n");

void *context__make(char *stack_top, void (*entry)(void))
{
    uint64_t *sp = (uint64_t *)((uintptr_t)stack_top & ~(uintptr_t)15);
    sp -= 20;
    memset(sp, 0, 160);
    sp[19] = (uint64_t)(uintptr_t)entry; /* x30 */
    return sp;
}

#else
#error "base/context.c has no context switch for this processor"
#endif
