// The exports of the header: engines and their events. Each catches everything, in one pattern that a test checks in
// the IL.
// SAFETY: pointers are the host's; each callee says what it takes them for.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastBackup.Native.Engines;
using FastBackup.Native.Errors;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Exports;

static class EngineExports
{
    [UnmanagedCallersOnly(EntryPoint = "fb_engine_open", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int EngineOpen(EngineOptionsStruct* options, ulong* result)
    {
        try
        {
            return EngineCalls.Open(options, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, 0);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_engine_close", CallConvs = [typeof(CallConvCdecl)])]
    public static int EngineClose(ulong engine)
    {
        try
        {
            return EngineCalls.Close(engine);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, engine);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_engine_query", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int EngineQuery(ulong engine, EngineStateStruct* result)
    {
        try
        {
            return EngineCalls.Query(engine, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, engine);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_engine_warning", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int EngineWarning(ulong engine, uint index, byte* text, uint capacity, uint* length)
    {
        try
        {
            return EngineCalls.Warning(engine, index, text, capacity, length);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, engine);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_engine_events", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int EngineEvents(ulong engine, ulong* sequence, byte* events, uint eventSize, uint capacity)
    {
        try
        {
            return EngineCalls.Events(engine, sequence, events, eventSize, capacity);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, engine);
        }
    }
}
