// The exports of the header: version, errors, kinds of handles. Each catches everything, in one pattern that a test
// checks in the IL.
// SAFETY: pointers are the host's; each callee says what it takes them for.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastBackup.Native.Errors;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Exports;

static class ProcessExports
{
    [UnmanagedCallersOnly(EntryPoint = "fb_abi_version", CallConvs = [typeof(CallConvCdecl)])]
    public static uint AbiVersion()
    {
        try
        {
            return ProcessCalls.AbiVersion();
        }
        catch (Exception exception)
        {
            return Guard.CaughtNone(exception);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_version_string", CallConvs = [typeof(CallConvCdecl)])]
    public static nint VersionString()
    {
        try
        {
            return ProcessCalls.VersionString();
        }
        catch (Exception exception)
        {
            return (nint)Guard.CaughtNone(exception);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_last_error", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int LastError(ErrorRecord* result)
    {
        try
        {
            return ProcessCalls.LastErrorOf(result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, 0);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_status_name", CallConvs = [typeof(CallConvCdecl)])]
    public static nint StatusName(int status)
    {
        try
        {
            return ProcessCalls.StatusName(status);
        }
        catch (Exception exception)
        {
            return (nint)Guard.CaughtNone(exception);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_handle_kind", CallConvs = [typeof(CallConvCdecl)])]
    public static uint HandleKind(ulong id)
    {
        try
        {
            return ProcessCalls.HandleKind(id);
        }
        catch (Exception exception)
        {
            return Guard.CaughtNone(exception);
        }
    }
}
