// An option that takes a whole number.
using System.CommandLine;
using System.Globalization;

namespace FastBackup.Cli;

static class NumberOption
{
    /// <param name="name">With its dashes.</param>
    /// <param name="unit">What stands for the number in help.</param>
    /// <param name="description">For help.</param>
    /// <param name="most">The largest that is taken.</param>
    /// <param name="rule">What a word that is none is not, and what to give: the end of a sentence.</param>
    public static Option<uint?> Create(string name, string unit, string description, uint most, string rule) =>
        new(name)
        {
            Description = description,
            HelpName = unit,
            CustomParser = result =>
            {
                string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
                if (uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint given))
                    if (given <= most)
                        return given;
                result.AddError($"{name} '{text}' is not {rule}");
                return null;
            },
        };
}
