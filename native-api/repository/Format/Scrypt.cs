// scrypt, which makes a key of a password and takes memory and time for it on purpose. Every command waits for it
// before it can read anything, and libraries mix one lane after the other, word by word: here a thread mixes each
// lane, four words of Salsa20/8 at once, which takes a third of the time on two processors. CipherTests compares it
// with a library.
//
// A block of 64 bytes is held by its diagonals, so that columns and rows of Salsa20/8 are steps of whole vectors: word
// i of the four vectors is word 5 i mod 16 of the block. Only the ends of a lane are rearranged.
// Cost: 128 x cost x block size bytes of memory a thread, 4 x cost x block size x parallel times Salsa20/8.
// Source: RFC 7914; the order of words as in C. Percival's crypto_scrypt-sse.c.
using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using System.Threading;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
static unsafe class Scrypt
{
    const int BlockBytes = 64;
    const int BlockWords = BlockBytes / sizeof(uint);
    const int BlockVectors = 4;

    /// <summary>Of the threads together, where lanes are so large.</summary>
    const long MemoryBytesMost = 128L << 20;

    /// <param name="password">Any length.</param>
    /// <param name="salt">Any length.</param>
    /// <param name="cost">N: a power of two above 1.</param>
    /// <param name="blockSize">r: above 0.</param>
    /// <param name="parallel">p: above 0.</param>
    /// <param name="keyBytes">Wanted.</param>
    public static byte[] Derive(byte[] password, byte[] salt, int cost, int blockSize, int parallel, int keyBytes)
    {
        byte[] lanes = Rfc2898DeriveBytes.Pbkdf2(
            password,
            salt,
            1,
            HashAlgorithmName.SHA256,
            2 * BlockBytes * blockSize * parallel
        );
        int laneBytes = 2 * BlockBytes * blockSize;
        long tableBytes = (long)laneBytes * cost;
        ulong memoryBytes = (ulong)(tableBytes + 2 * laneBytes);
        long others = Math.Min(parallel, Math.Min(Environment.ProcessorCount, MemoryBytesMost / tableBytes)) - 1;
        int next = -1;
        List<Thread> threads = [];
        for (int i = 0; i < others; i++)
        {
            // Without memory for it there is one thread fewer.
            Fault fault = AlignedRegion.TryMap(memoryBytes, RegionResidency.Resident, out AlignedRegion? memory);
            if (fault.IsFault)
                break;
            threads.Add(new Thread(() => MixLanes(memory!)) { Name = "fb-scrypt", IsBackground = true });
            threads[^1].Start();
        }
        MixLanes(AlignedRegion.Map(memoryBytes, RegionResidency.Resident));
        foreach (Thread thread in threads)
            thread.Join();
        return Rfc2898DeriveBytes.Pbkdf2(password, lanes, 1, HashAlgorithmName.SHA256, keyBytes);

        void MixLanes(AlignedRegion memory)
        {
            // SAFETY: the memory is this thread's and as long as Mix says, and a lane has one thread.
            Vector128<uint>* start = (Vector128<uint>*)memory.Pointer;
            fixed (byte* first = lanes)
                for (int lane; (lane = Interlocked.Increment(ref next)) < parallel; )
                    Mix((uint*)(first + (long)lane * laneBytes), start, (uint)cost, 2 * blockSize);
            memory.Dispose();
        }
    }

    /// <param name="lane">So many blocks, as they are.</param>
    /// <param name="memory">Room for cost + 2 lanes.</param>
    /// <param name="cost">A power of two.</param>
    /// <param name="blocks">Of a lane.</param>
    static void Mix(uint* lane, Vector128<uint>* memory, uint cost, int blocks)
    {
        // SAFETY: all places are within the cost + 2 lanes: the mask is below the cost, which is even.
        int vectors = blocks * BlockVectors;
        Vector128<uint>* odd = memory + vectors;
        Vector128<uint>* table = odd + vectors;
        for (int word = 0; word < blocks * BlockWords; word++)
            ((uint*)memory)[word] = lane[word / BlockWords * BlockWords + word * 5 % BlockWords];
        for (uint i = 0; i < cost; i += 2)
        {
            MixKept(memory, table + i * (nuint)vectors, odd, blocks);
            MixKept(odd, table + (i + 1) * (nuint)vectors, memory, blocks);
        }
        for (uint i = 0; i < cost; i += 2)
        {
            MixChosen(memory, table, odd, cost - 1, blocks);
            MixChosen(odd, table, memory, cost - 1, blocks);
        }
        for (int word = 0; word < blocks * BlockWords; word++)
            lane[word / BlockWords * BlockWords + word * 5 % BlockWords] = ((uint*)memory)[word];
    }

    static void MixKept(Vector128<uint>* from, Vector128<uint>* place, Vector128<uint>* to, int blocks)
    {
        // SAFETY: each has so many blocks.
        for (int at = 0; at < blocks * BlockVectors; at++)
            place[at] = from[at];
        MixBlocks(from, place, to, blocks, isCombined: false);
    }

    static void MixChosen(Vector128<uint>* from, Vector128<uint>* table, Vector128<uint>* to, uint mask, int blocks)
    {
        // SAFETY: the table has mask + 1 lanes.
        nuint chosen = from[(blocks - 1) * BlockVectors].ToScalar() & mask;
        MixBlocks(from, table + chosen * (nuint)(blocks * BlockVectors), to, blocks, isCombined: true);
    }

    /// <summary>Of a lane's blocks each is combined with the one before it and mixed; even ones come first.</summary>
    /// <param name="from">The lane.</param>
    /// <param name="other">What it is combined with first, if it is.</param>
    /// <param name="to">Another lane.</param>
    /// <param name="blocks">Of each.</param>
    /// <param name="isCombined">Whether it is.</param>
    static void MixBlocks(
        Vector128<uint>* from,
        Vector128<uint>* other,
        Vector128<uint>* to,
        int blocks,
        bool isCombined
    )
    {
        // SAFETY: each has so many blocks.
        int last = (blocks - 1) * BlockVectors;
        (Vector128<uint> a, Vector128<uint> b) = (from[last], from[last + 1]);
        (Vector128<uint> c, Vector128<uint> d) = (from[last + 2], from[last + 3]);
        if (isCombined)
            (a, b, c, d) = (a ^ other[last], b ^ other[last + 1], c ^ other[last + 2], d ^ other[last + 3]);
        for (int block = 0; block < blocks; block++)
        {
            int at = block * BlockVectors;
            (a, b, c, d) = (a ^ from[at], b ^ from[at + 1], c ^ from[at + 2], d ^ from[at + 3]);
            if (isCombined)
                (a, b, c, d) = (a ^ other[at], b ^ other[at + 1], c ^ other[at + 2], d ^ other[at + 3]);
            (Vector128<uint> a0, Vector128<uint> b0, Vector128<uint> c0, Vector128<uint> d0) = (a, b, c, d);
            for (int round = 0; round < 4; round++)
            {
                b ^= Rotate(a + d, 7);
                c ^= Rotate(b + a, 9);
                d ^= Rotate(c + b, 13);
                a ^= Rotate(d + c, 18);
                b = Vector128.Shuffle(b, Vector128.Create(3u, 0, 1, 2));
                c = Vector128.Shuffle(c, Vector128.Create(2u, 3, 0, 1));
                d = Vector128.Shuffle(d, Vector128.Create(1u, 2, 3, 0));
                d ^= Rotate(a + b, 7);
                c ^= Rotate(d + a, 9);
                b ^= Rotate(c + d, 13);
                a ^= Rotate(b + c, 18);
                b = Vector128.Shuffle(b, Vector128.Create(1u, 2, 3, 0));
                c = Vector128.Shuffle(c, Vector128.Create(2u, 3, 0, 1));
                d = Vector128.Shuffle(d, Vector128.Create(3u, 0, 1, 2));
            }
            (a, b, c, d) = (a + a0, b + b0, c + c0, d + d0);
            Vector128<uint>* place = to + (block / 2 + block % 2 * (blocks / 2)) * BlockVectors;
            (place[0], place[1], place[2], place[3]) = (a, b, c, d);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<uint> Rotate(Vector128<uint> words, [ConstantExpected] byte bits) =>
        Avx512F.VL.IsSupported ? Avx512F.VL.RotateLeft(words, bits) : words << bits | words >>> (32 - bits);
}
