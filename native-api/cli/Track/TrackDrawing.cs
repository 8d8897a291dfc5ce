// What has changed, as an SVG picture: a square stands for an equal part of the disk, in rows from its start, and is
// the darker the more of it has changed; each that has anything says by a title which bytes it is and how much of it.
// Some 4096 squares at most, 500 KiB.
// Source: Scalable Vector Graphics 1.1 (W3C).
using System;
using System.IO;
using System.Text;
using FastBackup.Base;
using FastBackup.Bitmaps;

namespace FastBackup.Cli;

static class TrackDrawing
{
    const ulong Columns = 128;
    const ulong RowsMax = 32;
    const int SquarePixels = 8;
    const int TextPixels = 44;

    static readonly string[] s_colors = ["#d7e3f4", "#8fb3e0", "#3f7cc4", "#12407f"];
    static readonly string[] s_shares = ["nothing", "up to a quarter", "up to three quarters", "more"];

    /// <param name="path">Replaced.</param>
    /// <param name="disk">Its name, for people.</param>
    /// <param name="line">What the tracker says, for people.</param>
    /// <param name="changed">One bit a granule.</param>
    /// <returns>Null, or why it could not be written, a sentence.</returns>
    public static string? TryWrite(string path, string disk, string line, HierarchicalBitmap changed) =>
        Directory.Exists(path)
            ? $"cannot write picture '{path}': it is a directory; name a file"
            : ReplacedFile.TryWrite("picture", path, () => Draw(disk, line, changed));

    /// <inheritdoc cref="TryWrite"/>
    /// <returns>The document.</returns>
    public static string Draw(string disk, string line, HierarchicalBitmap changed)
    {
        ulong partCount = Math.Min(changed.BitCount, Columns * RowsMax);
        ulong rowCount = Math.Max(1, Units.DivCeil(partCount, Columns));
        ulong width = Columns * SquarePixels;
        ulong height = rowCount * SquarePixels + TextPixels;
        StringBuilder text = new();
        _ = text.Append(
            Phrases.Text(
                $"""
                <svg xmlns="http://www.w3.org/2000/svg"
                     width="{width}" height="{height}" viewBox="0 0 {width} {height}">
                <title>{Escape(disk)}</title>
                <rect width="{width}" height="{height}" fill="#ffffff"/>
                <g font-family="sans-serif" font-size="12">
                <text x="2" y="14">{Escape(disk)}: {Escape(line)}</text>

                """
            )
        );
        AddLegend(text);
        _ = text.Append("</g>\n<g shape-rendering=\"crispEdges\">\n");
        for (ulong part = 0; part < partCount; part++)
            AddPart(text, changed, part, partCount);
        return text.Append("</g>\n</svg>\n").ToString();
    }

    static void AddLegend(StringBuilder text)
    {
        int x = 2;
        for (int share = 0; share < s_shares.Length; share++)
        {
            _ = text.Append(
                Phrases.Text($"<rect x=\"{x}\" y=\"22\" width=\"10\" height=\"10\" fill=\"{s_colors[share]}\"/>")
                    + Phrases.Text($"<text x=\"{x + 14}\" y=\"31\">{s_shares[share]}</text>\n")
            );
            x += 40 + 8 * s_shares[share].Length;
        }
    }

    static void AddPart(StringBuilder text, HierarchicalBitmap changed, ulong part, ulong partCount)
    {
        (ulong first, ulong end) = TrackPicture.BitsOf(changed, part, partCount);
        ulong count = TrackPicture.Count(changed, first, end);
        ulong x = part % Columns * SquarePixels;
        ulong y = part / Columns * SquarePixels + TextPixels;
        string color = s_colors[TrackPicture.ShareOf(count, end - first)];
        string square = Phrases.Text(
            $"<rect x=\"{x}\" y=\"{y}\" width=\"{SquarePixels - 1}\" height=\"{SquarePixels - 1}\" fill=\"{color}\""
        );
        if (count == 0)
        {
            _ = text.Append(square).Append("/>\n");
            return;
        }
        ulong from = first * changed.GranularityBytes;
        ulong to = Math.Min(end * changed.GranularityBytes, changed.SizeBytes);
        string title = Phrases.Text($"bytes {from} to {to - 1}: {count} of {end - first} granules");
        _ = text.Append(square).Append("><title>").Append(title).Append("</title></rect>\n");
    }

    /// <summary>As XML takes text; control letters, which it takes in no form, become question marks.</summary>
    static string Escape(string text)
    {
        StringBuilder escaped = new();
        foreach (Rune letter in text.EnumerateRunes())
            _ = letter.Value switch
            {
                '&' => escaped.Append("&amp;"),
                '<' => escaped.Append("&lt;"),
                '>' => escaped.Append("&gt;"),
                < ' ' or 0xFFFE or 0xFFFF => escaped.Append('?'),
                _ => escaped.Append(letter.ToString()),
            };
        return escaped.ToString();
    }
}
