// A small file for others to read, replaced at once: it is written under another name and renamed, so that nobody reads
// half of it.
using System;
using System.IO;
using System.Text;
using FastBackup.Repositories;

namespace FastBackup.Cli;

static class ReplacedFile
{
    /// <param name="noun">What it is, for sentences.</param>
    /// <param name="path">Replaced.</param>
    /// <param name="text">Makes its text; what it throws of files counts as what writing throws.</param>
    /// <param name="mode">Of the new file; null: as the process makes files.</param>
    /// <returns>Null, or why it could not be written, a sentence.</returns>
    public static string? TryWrite(string noun, string path, Func<string> text, UnixFileMode? mode = null)
    {
        string temporary = path + Phrases.Text($".{Environment.ProcessId}.tmp");
        try
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text());
            FileStreamOptions options = new() { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
                options.UnixCreateMode = mode;
            using (FileStream file = new(temporary, options))
                file.Write(bytes);
            File.Move(temporary, path, overwrite: true);
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            string next = "give another place";
            try
            {
                File.Delete(temporary);
            }
            catch (Exception again) when (again is IOException or UnauthorizedAccessException)
            {
                if (File.Exists(temporary))
                    next = $"'{temporary}' is left";
            }
            return $"cannot write {noun} '{path}': {FileTrouble.Describe(exception)}; {next}";
        }
    }
}
