// Handles of one kind that a host gives as an array: each once, all of one engine.
using System;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;

namespace FastBackup.Native.Objects;

/// <summary>Threads: any.</summary>
static class HandleList
{
    const uint CountMax = 256;

    /// <param name="ids">The host vouches for count of them.</param>
    /// <param name="count">1 to 256.</param>
    /// <param name="queue">Of their engine.</param>
    /// <param name="found">In the same order, when the answer is Ok.</param>
    public static unsafe Answer TryFind<T>(ulong* ids, uint count, QueueObject queue, out T[] found)
        where T : EngineChild, IHandleKind
    {
        found = [];
        if (ids == null || count is 0 or > CountMax)
            return Answer.Invalid($"NULL, or {count} {T.Noun}s: 1 to {CountMax}");
        found = new T[count];
        // SAFETY: see ids.
        for (uint i = 0; i < count; i++)
        {
            if (HandleTable.Find<T>(ids[i]) is not { } one)
                return Answer.Handle(T.Noun);
            if (!ReferenceEquals(one.Engine, queue.Engine))
                return Answer.Invalid($"a {T.Noun} and the queue are of different engines");
            if (Array.IndexOf(found, one) >= 0)
                return Answer.Invalid($"a {T.Noun} is named twice");
            found[i] = one;
        }
        return Answer.Ok;
    }
}
