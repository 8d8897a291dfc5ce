// Inputs that are worth changing: right sessions, what the folder of this project keeps from earlier runs, and whatever
// has reached something new in this one. A file is hex: a blank line ends an input, one that begins with # is for
// people.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using FastBackup.Base;

namespace FastBackup.Tests.Fuzz;

/// <summary>Threads: one.</summary>
/// <param name="name">Of the end, its file, and its folder of what is found.</param>
/// <param name="keepFolder">Gets what is added; null: nothing does.</param>
sealed class Corpus(string name, string? keepFolder)
{
    const int LineBytes = 40;

    readonly List<byte[]> _inputs = [];

    public int Count => _inputs.Count;

    public IEnumerable<byte[]> Inputs => _inputs;

    /// <summary>The inputs of a file.</summary>
    public static IEnumerable<byte[]> Read(string path)
    {
        StringBuilder hex = new();
        foreach (string line in File.ReadLines(path).Append(""))
        {
            if (!line.StartsWith('#'))
                hex.Append(line.Trim());
            if (line.Length > 0 || hex.Length == 0)
                continue;
            yield return Convert.FromHexString(hex.ToString());
            hex.Clear();
        }
    }

    public static string Hex(byte[] input) =>
        string.Join('\n', input.Chunk(LineBytes).Select(part => Convert.ToHexString(part).ToLowerInvariant()));

    /// <summary>Of earlier runs, in an order that is always the same.</summary>
    public IEnumerable<byte[]> Kept() =>
        Read(Path.Combine(Path.GetDirectoryName(typeof(Corpus).Assembly.Location)!, "Corpus", name + ".hex"));

    /// <param name="input">Has reached something new.</param>
    /// <param name="isFound">Here, and not before.</param>
    public void Add(byte[] input, bool isFound)
    {
        _inputs.Add(input);
        if (!isFound || keepFolder == null)
            return;
        string folder = Directory.CreateDirectory(Path.Combine(keepFolder, name)).FullName;
        string file = Convert.ToHexString(SHA256.HashData(input).AsSpan(0, 6)).ToLowerInvariant() + ".hex";
        File.WriteAllText(Path.Combine(folder, file), Hex(input) + "\n", Encoding.ASCII);
    }

    /// <summary>Newer ones more often: they lead on.</summary>
    public byte[] Pick(Prng prng)
    {
        ulong count = (ulong)_inputs.Count;
        return _inputs[(int)Math.Max(prng.Below(count), prng.Below(count))];
    }

    public override string ToString() => Count.ToString(CultureInfo.InvariantCulture);
}
