// The exports of the header: devices. Each catches everything, in one pattern that a test checks in the IL.
// SAFETY: pointers are the host's; each callee says what it takes them for.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastBackup.Native.Devices;
using FastBackup.Native.Errors;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Exports;

static class DeviceExports
{
    [UnmanagedCallersOnly(EntryPoint = "fb_device_open", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int DeviceOpen(ulong engine, DeviceOptionsStruct* options, ulong* result)
    {
        try
        {
            return DeviceCalls.Open(engine, options, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, engine);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_device_register", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int DeviceRegister(ulong engine, DeviceOpsStruct* ops, ulong* result)
    {
        try
        {
            return DeviceCalls.Register(engine, ops, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, engine);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_device_complete", CallConvs = [typeof(CallConvCdecl)])]
    public static int DeviceComplete(ulong device, ulong token, int status, int sysErrno)
    {
        try
        {
            return DeviceCalls.Complete(device, token, status, sysErrno);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, device);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_device_query", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int DeviceQuery(ulong device, DeviceStateStruct* result)
    {
        try
        {
            return DeviceCalls.Query(device, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, device);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_device_close", CallConvs = [typeof(CallConvCdecl)])]
    public static int DeviceClose(ulong device)
    {
        try
        {
            return DeviceCalls.Close(device);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, device);
        }
    }
}
