// What QMP takes for the name of a node or a job.
namespace FastBackup.Native.Monitor.Commands;

static class QmpName
{
    const int CharactersMax = 255;

    /// <summary>A letter, then letters, digits, - . and _. Source: QEMU util/id.c.</summary>
    public static bool IsWellFormed(string name)
    {
        if (name.Length is 0 or > CharactersMax || !char.IsAsciiLetter(name[0]))
            return false;
        foreach (char one in name)
            if (!char.IsAsciiLetterOrDigit(one) && one is not ('-' or '.' or '_'))
                return false;
        return true;
    }
}
