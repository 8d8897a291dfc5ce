// Names in the order of their addition, against a plain list.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Memory;

public sealed class NamedCollectionTests
{
    [Fact]
    public void RandomSteps_AgainstAPlainList()
    {
        Prng prng = new(TestSeed.Next());
        NamedCollection<string> list = new();
        List<string> model = [];
        for (int step = 0; step < 2000; step++)
        {
            string name = prng.Below(30).ToString(System.Globalization.CultureInfo.InvariantCulture);
            Assert.Equal(model.Contains(name), list.Find(name) != null);
            if (model.Remove(name))
            {
                list.Remove(name);
            }
            else
            {
                model.Add(name);
                list.Reserve((int)prng.Below(40));
                list.Add(name, name);
            }
            Assert.Equal(model, list.ToList());
            Assert.Equal(model.Count, list.Count);
            Assert.Equal(model.FirstOrDefault(), list.First);
        }
        list.Clear();
        Assert.Null(list.First);
    }
}
