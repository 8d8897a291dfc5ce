// The export of process.c on Windows, where no process is the child of a fork. Compiled for Windows only.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastBackup.Native.Process;

static class NoFork
{
    [UnmanagedCallersOnly(EntryPoint = "fb_is_forked_child", CallConvs = [typeof(CallConvCdecl)])]
    public static int IsForkedChild() => 0;
}
