// What is driven by inputs: an end of the protocol, which is sent whatever a session is made of; or what reads and
// writes images.
using System;
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Tests.Fuzz;

/// <summary>Threads: one.</summary>
interface IFuzzedEnd : IDisposable
{
    string Name { get; }

    /// <summary>Right sessions to begin with.</summary>
    IEnumerable<byte[]> Seeds { get; }

    /// <summary>Another input.</summary>
    /// <param name="input">Stays as it is.</param>
    /// <param name="other">Parts of it may get in.</param>
    /// <param name="prng">Of all choices.</param>
    byte[] Change(byte[] input, byte[] other, Prng prng) => Mutations.Change(input, other, prng);

    /// <summary>What is worth trying of an input that has reached something new: it is cut at every byte.</summary>
    IEnumerable<byte[]> Around(byte[] input)
    {
        for (int bytes = 0; bytes < input.Length; bytes++)
            yield return input[..bytes];
    }

    /// <summary>One session, from its connection to the last trace of it.</summary>
    /// <param name="input">What this end is sent.</param>
    /// <param name="isTorn">Bytes arrive in pieces, at random.</param>
    /// <param name="hasCompany">A guest is served meanwhile.</param>
    /// <exception cref="FuzzFailure">Something is wrong.</exception>
    void Run(byte[] input, bool isTorn, bool hasCompany);

    /// <summary>What was kept, shown to others; nothing by itself.</summary>
    /// <exception cref="FuzzFailure">They see something else.</exception>
    void CheckKept(IEnumerable<byte[]> inputs, Prng prng) { }

    /// <summary>Nothing is left of all sessions.</summary>
    /// <exception cref="FuzzFailure">Something is.</exception>
    void CheckNothingLeft();

    /// <summary>What is worth telling of all sessions.</summary>
    string Words { get; }
}
