// The exports of the header: monitors. Each catches everything, in one pattern that a test checks in the IL.
// SAFETY: pointers are the host's; each callee says what it takes them for.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Exports;

static class MonitorExports
{
    [UnmanagedCallersOnly(EntryPoint = "fb_monitor_open", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int MonitorOpen(ulong engine, MonitorOptionsStruct* options, ulong* result)
    {
        try
        {
            return MonitorCalls.Open(engine, options, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, engine);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_monitor_close", CallConvs = [typeof(CallConvCdecl)])]
    public static int MonitorClose(ulong monitor)
    {
        try
        {
            return MonitorCalls.Close(monitor);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, monitor);
        }
    }
}
