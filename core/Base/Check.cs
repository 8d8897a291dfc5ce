// Always-on invariants. A failed one throws InvariantException, which the boundary of the engine
// (the reactor's step, an export's guard) turns into a stopped engine; it never ends the host process.
using System;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace FastBackup.Base;

/// <summary>
/// Checks what must hold if our own code is right. Errors of the world are <see cref="Fault"/> values.
/// </summary>
public static class Check
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void That(
        [DoesNotReturnIf(false)] bool condition,
        [CallerArgumentExpression(nameof(condition))] string what = ""
    )
    {
        if (!condition)
            Fail(what);
    }

    [DoesNotReturn, MethodImpl(MethodImplOptions.NoInlining), StackTraceHidden]
    public static void Fail(string what) => throw new InvariantException(what);
}

/// <summary>One of our own invariants does not hold: a bug here, never an error of a device or a user.</summary>
public sealed class InvariantException(string what) : Exception("invariant failed: " + what);
