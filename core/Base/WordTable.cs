// The words of an enumeration, as people and monitors write and read them, each said once.
// Cost: a walk over a few rows.
using System;
using System.Collections.Generic;

namespace FastBackup.Base;

/// <summary>Threads: any; immutable.</summary>
/// <param name="rows">Every value that is ever written, once; the first is what is read where nothing is said.</param>
public sealed class WordTable<T>(params (string Word, T Value)[] rows)
    where T : struct, Enum
{
    /// <summary>In the order of the table.</summary>
    public string[] Words { get; } = Array.ConvertAll(rows, row => row.Word);

    public string Of(T value)
    {
        int index = Array.FindIndex(rows, row => EqualityComparer<T>.Default.Equals(row.Value, value));
        Check.That(index >= 0);
        return rows[index].Word;
    }

    /// <returns>False: none of the words.</returns>
    public bool TryRead(string word, out T value)
    {
        int index = Array.IndexOf(Words, word);
        value = rows[Math.Max(0, index)].Value;
        return index >= 0;
    }

    /// <param name="index">Of <see cref="Words"/>.</param>
    public T At(int index) => rows[index].Value;
}
