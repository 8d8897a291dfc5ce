// What the check of an image has found: numbers, and the first sentences.
using System.Collections.Generic;

namespace FastBackup.Formats.Qcow2;

public sealed class CheckFindings
{
    const int SentencesMax = 100;

    readonly List<string> _sentences = [];

    /// <summary>Places where the image may lose data, or has.</summary>
    public ulong Corruptions { get; private set; }

    /// <summary>Clusters that are counted as used, and are not: lost space and nothing else.</summary>
    public ulong Leaks { get; private set; }

    /// <summary>Why the check could not be done to its end, a sentence; null: it was.</summary>
    public string? Incomplete { get; internal set; }

    /// <summary>Clusters of the disk.</summary>
    public ulong TotalClusters { get; internal set; }

    /// <summary>Of those, with an own place in the image.</summary>
    public ulong AllocatedClusters { get; internal set; }

    /// <summary>Of those, packed.</summary>
    public ulong CompressedClusters { get; internal set; }

    /// <summary>Behind the last cluster that is used.</summary>
    public ulong EndBytes { get; internal set; }

    /// <summary>The first of what was found.</summary>
    public IReadOnlyList<string> Sentences => _sentences;

    internal void Corrupt(string sentence)
    {
        Corruptions++;
        Add(sentence);
    }

    internal void Leak(string sentence)
    {
        Leaks++;
        Add(sentence);
    }

    /// <summary>What is neither, and is to be known.</summary>
    /// <param name="sentence">A clause.</param>
    public void Note(string sentence) => Add(sentence);

    void Add(string sentence)
    {
        if (_sentences.Count < SentencesMax)
            _sentences.Add(sentence);
    }
}
