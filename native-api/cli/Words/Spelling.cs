// What somebody who mistyped a word has probably meant.
// Source: Damerau and Levenshtein's distance in which a swap of neighbours counts one ("optimal string alignment").
using System;
using System.Collections.Generic;
using System.Linq;

namespace FastBackup.Cli;

static class Spelling
{
    /// <param name="word">As typed.</param>
    /// <param name="known">What exists.</param>
    /// <returns>The nearest known word that is at most a third of its letters away, or null.</returns>
    public static string? Nearest(string word, IEnumerable<string> known) =>
        known
            .Select(one => (Word: one, Distance: Distance(word, one)))
            .Where(one => one.Distance > 0 && one.Distance * 3 <= one.Word.Length)
            .OrderBy(one => one.Distance)
            .Select(one => one.Word)
            .FirstOrDefault();

    static int Distance(string left, string right)
    {
        int[,] best = new int[left.Length + 1, right.Length + 1];
        for (int i = 0; i <= left.Length; i++)
        for (int j = 0; j <= right.Length; j++)
        {
            if (i == 0 || j == 0)
            {
                best[i, j] = i + j;
                continue;
            }
            int change = left[i - 1] == right[j - 1] ? 0 : 1;
            int step = Math.Min(best[i - 1, j], best[i, j - 1]) + 1;
            best[i, j] = Math.Min(step, best[i - 1, j - 1] + change);
            bool isSwap = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if (isSwap)
                best[i, j] = Math.Min(best[i, j], best[i - 2, j - 2] + 1);
        }
        return best[left.Length, right.Length];
    }
}
