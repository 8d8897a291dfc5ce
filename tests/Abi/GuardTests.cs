// Every export catches everything: read in the IL, where nothing can hide. The whole body is one protected region whose
// only handler catches System.Exception and asks Guard for the answer; and Guard itself turns an exception into a
// status.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Native.Calls;
using FastBackup.Native.Errors;
using FastBackup.Native.Structs;
using Xunit;

namespace FastBackup.Tests.Abi;

public sealed class GuardTests
{
    const byte OpCall = 0x28;
    const int TrailerBytesMax = 2; // ldloc, ret
    const int PrologueBytesMax = 0;

    static readonly MethodInfo[] Exports =
    [
        .. typeof(Guard)
            .Assembly.GetTypes()
            .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            .Where(method => method.IsDefined(typeof(UnmanagedCallersOnlyAttribute))),
    ];

    [Fact]
    public void EveryExport_IsOneProtectedRegionThatEndsInTheGuard()
    {
        Assert.True(Exports.Length > 80, $"only {Exports.Length} exports were found");
        Assert.Empty(Exports.Select(Problem).OfType<string>());
    }

    [Fact]
    public void UnguardedMethod_IsFound()
    {
        MethodInfo bare = typeof(GuardTests).GetMethod(
            nameof(BareExport),
            BindingFlags.Static | BindingFlags.NonPublic
        )!;
        Assert.NotNull(Problem(bare));
    }

    [Theory]
    [InlineData(typeof(InvariantException), -127)]
    [InlineData(typeof(InvalidOperationException), -127)]
    [InlineData(typeof(OutOfMemoryException), -6)]
    [InlineData(typeof(InsufficientMemoryException), -6)]
    public unsafe void Guard_TurnsAnExceptionIntoAStatus(Type type, int status)
    {
        Exception exception = (Exception)
            Activator.CreateInstance(type, type == typeof(InvariantException) ? ["a"] : [])!;
        Assert.Equal(status, Guard.Caught(exception, 0));
        ErrorStruct record;
        ProcessCalls.Describe(LastError.Last, out record);
        Assert.Equal(status, record.Status);
        Assert.NotEqual(0u, record.TextLength);
        Assert.Equal(0u, Guard.CaughtNone(exception));
    }

    static int BareExport() => Environment.ProcessId;

    /// <summary>What is wrong with an export, or null.</summary>
    static string? Problem(MethodInfo method)
    {
        MethodBody body = method.GetMethodBody()!;
        byte[] code = body.GetILAsByteArray()!;
        IList<ExceptionHandlingClause> clauses = body.ExceptionHandlingClauses;
        if (clauses.Count != 1 || clauses[0].Flags != ExceptionHandlingClauseOptions.Clause)
            return method.Name + ": not exactly one catch";
        ExceptionHandlingClause only = clauses[0];
        if (only.CatchType != typeof(Exception))
            return method.Name + ": catches " + only.CatchType;
        int end = only.HandlerOffset + only.HandlerLength;
        bool isWhole = only.TryOffset <= PrologueBytesMax && only.HandlerOffset == only.TryOffset + only.TryLength;
        if (!isWhole || code.Length - end > TrailerBytesMax)
            return method.Name + ": something is outside of the protected region";
        return CallsGuard(method.Module, code.AsSpan(only.HandlerOffset, only.HandlerLength))
            ? null
            : method.Name + ": the handler does not end in Guard";
    }

    static bool CallsGuard(Module module, ReadOnlySpan<byte> handler)
    {
        for (int at = 0; at + 5 <= handler.Length; at++)
        {
            if (handler[at] != OpCall)
                continue;
            int token = BitConverter.ToInt32(handler[(at + 1)..]);
            if (token >> 24 is 0x06 or 0x0A && module.ResolveMethod(token)?.DeclaringType == typeof(Guard))
                return true;
        }
        return false;
    }
}
